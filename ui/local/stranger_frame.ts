// The script of the frame in which a stranger's plugin runs: takes one port and the keeper's text from the page
// around it, and stays out of the way. Its document's policy is what confines everything in here.

addEventListener("message", begin);

function begin({ source, data, ports: [control] }: MessageEvent<{ script: string }>): void {
  if (source !== parent || control === undefined) return;
  removeEventListener("message", begin);
  const url = URL.createObjectURL(new Blob([data.script], { type: "text/javascript" }));
  const keeper = new Worker(url, { name: "bkg keeper" });
  keeper.onerror = (event) => {
    event.preventDefault();
    control.postMessage({ lost: event.message || "its Worker ended" });
  };
  control.onmessage = ({ data: order, ports }) => keeper.postMessage(order, [...ports]);
}
