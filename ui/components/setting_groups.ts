// The server's settings in the groups that a person looks for them in. A name that is not here stands under "More".

import type { SettingView } from "../api/settings.ts";

export interface SettingGroup {
  title: string;
  settings: readonly SettingView[];
}

/** Of the group that the state of the backups stands in. */
export const backupsTitle = "Backups";

/** In the order of `groups`, then of their names; empty groups are left out. */
export function groupSettings(settings: readonly SettingView[]): SettingGroup[] {
  const left = new Map(settings.map((setting) => [setting.name, setting]));
  const known = groups.map(({ title, names }) => ({
    title,
    settings: names.flatMap((name) => {
      const setting = left.get(name);
      left.delete(name);
      return setting ?? [];
    }),
  }));
  return [...known, { title: "More", settings: [...left.values()] }]
    .filter((group) => group.settings.length > 0);
}

const groups: readonly { title: string; names: readonly string[] }[] = [
  { title: "Who may connect", names: ["allowedHosts", "allowedOrigins"] },
  { title: "Records", names: ["logLevel", "auditDays", "usageDays"] },
  { title: backupsTitle, names: ["backupHours", "backupsKept"] },
  { title: "Address", names: ["host", "port", "publicUrl", "trustedProxies", "tlsCert", "tlsKey"] },
  {
    title: "Data",
    names: ["dataDir", "databaseUrl", "modelPaths", "pluginPaths", "offline", "adminPassword"],
  },
];
