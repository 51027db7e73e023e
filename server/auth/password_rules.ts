// What a new password must be. Length and not composition (NIST SP 800-63B 5.1.1.2). Callers: sign_in, accounts.

import { AppError } from "../../plugins/runtime/contract/error.ts";

/** Throws INVALID_INPUT naming `field`. */
export function requireGoodPassword(
  password: string,
  { name, field = "password" }: { name: string; field?: string },
): void {
  const problem = problemOf(password.normalize("NFKC"), name);
  if (problem === undefined) return;
  throw new AppError("INVALID_INPUT", `"${field}" ${problem}`, {
    details: { field, minLength, maxLength },
  });
}

function problemOf(password: string, name: string): string | undefined {
  const length = [...password].length;
  if (length < minLength) return `must have at least ${minLength} characters`;
  if (length > maxLength) return `must have at most ${maxLength} characters`;
  const plain = password.toLowerCase();
  if (plain === name.normalize("NFKC").toLowerCase()) return "must not be the user's name";
  if (commonest.has(plain) || new Set(plain).size === 1) return "is one that everybody tries first";
  return undefined;
}

const minLength = 10;
const maxLength = 200;

/** Of those with ten characters or more. */
const commonest = new Set(
  ("0123456789 1029384756 0987654321 1122334455 1234567890 12345678910 123456789a 1234512345 " +
    "12345678900 123123123123 123456123456 987654321a 9876543210 1234567891 a123456789 " +
    "1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc 1qazxsw23edc q1w2e3r4t5 q1w2e3r4t5y6 qwerty1234 " +
    "qwerty12345 qwerty123456 qwertyuiop qwertyuiop123 qwertyqwerty qwertzuiop asdfghjkl1 " +
    "asdfghjkl123 asdfghjklö zxcvbnm123 abcdefghij abcdefghijk abcd123456 abc1234567 " +
    "abc123abc123 password00 password01 password11 password12 password123 password1234 " +
    "password12345 password123! password@123 p@ssword123 passw0rd123 p@ssw0rd123 mypassword " +
    "mypassword1 passwordpassword newpassword changeme123 changemenow changeit123 letmein123 " +
    "letmein1234 iloveyou12 iloveyou123 iloveyou1234 welcome123 welcome1234 welcome2024 " +
    "welcome2025 welcome2026 administrator adminadmin adminadmin1 admin12345 admin123456 " +
    "admin1234567 administrator1 rootroot12 testtest12 testtest123 test123456 test1234567 " +
    "football12 football123 baseball12 baseball123 basketball superman12 superman123 " +
    "sunshine12 sunshine123 princess12 princess123 trustno1trustno1 correcthorsebatterystaple " +
    "monkey1234 dragon1234 master1234 michael123 minecraft1 starwars123 whatever12 computer12 " +
    "computer123 internet123 liverpool1 summer2024 summer2025 summer2026 winter2024 winter2025 " +
    "winter2026").split(" "),
);
