// A file that is dropped anywhere on the window, or pasted.

/**
 * @param text what the window says while a file is held over it
 * @param open called with the file
 * @returns the way to stop
 */
export function takeDrops(text, open) {
  const hasFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const heard = {
    dragover(event) {
      if (!hasFile(event)) return;
      event.preventDefault();
      document.body.classList.add("dropping");
    },
    dragleave(event) {
      if (!event.relatedTarget) document.body.classList.remove("dropping");
    },
    drop(event) {
      document.body.classList.remove("dropping");
      if (!hasFile(event)) return;
      event.preventDefault();
      if (event.dataTransfer.files.length > 0) open(event.dataTransfer.files[0]);
    },
    paste(event) {
      const item = [...(event.clipboardData?.files ?? [])][0];
      if (item) open(item);
    },
  };
  document.body.dataset.dropText = text;
  for (const [event, run] of Object.entries(heard)) addEventListener(event, run);
  return () => {
    for (const [event, run] of Object.entries(heard)) removeEventListener(event, run);
  };
}
