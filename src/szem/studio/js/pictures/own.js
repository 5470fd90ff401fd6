// The visitor's own file, kept in this browser for this tab: it is there again after the page was loaded anew.

const DATABASE = "szem";
const SHELF = "own";
const MARK = "szem.own"; // in the session's storage: another tab, or a link, does not open the file of this one
const MOST_BYTES = 60_000_000;

function open() {
  return new Promise((resolve, reject) => {
    const wish = indexedDB.open(DATABASE, 1);
    wish.onupgradeneeded = () => wish.result.createObjectStore(SHELF);
    wish.onsuccess = () => resolve(wish.result);
    wish.onerror = () => reject(wish.error);
  });
}

async function shelf(mode, act) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const wish = act(database.transaction(SHELF, mode).objectStore(SHELF));
      wish.onsuccess = () => resolve(wish.result);
      wish.onerror = () => reject(wish.error);
    });
  } finally {
    database.close();
  }
}

/** Keep a file; where storage is forbidden or full, it lasts until the page is loaded again. */
export async function keepOwn(file) {
  try {
    if (file.size > MOST_BYTES) return;
    sessionStorage.setItem(MARK, "1");
    await shelf("readwrite", (store) => store.put(file, MARK));
  } catch {
    // nothing is kept, and nothing breaks
  }
}

/** Whether this tab has kept a file. */
export async function hasKept() {
  return (await keptOwn()) !== null;
}

/** The file that was kept, or null. */
export async function keptOwn() {
  try {
    return sessionStorage.getItem(MARK) ? ((await shelf("readonly", (store) => store.get(MARK))) ?? null) : null;
  } catch {
    return null;
  }
}
