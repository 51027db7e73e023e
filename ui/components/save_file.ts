// Hands a file to the person, as a download.

export function saveFile(file: { name: string; type: string; text: string } | NamedBlob): void {
  const blob = "blob" in file ? file.blob : new Blob([file.text], { type: file.type });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = file.name;
  link.click();
  // The download has begun by then, and holds the bytes itself.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export interface NamedBlob {
  name: string;
  blob: Blob;
}
