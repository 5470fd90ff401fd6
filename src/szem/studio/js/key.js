// The owner's key: it comes once in the studio's own address, "#key=…", and stays in this tab.
//
// Session storage belongs to one origin, its port included; a cookie would go to every port of this machine, and with
// it to whatever another user serves there.

const NAME = "szem.key";
const IN_ADDRESS = /^#key=([\w-]+)/;

let key = take();

/** Take the key out of the address, so that it is neither bookmarked nor shown. */
function take() {
  const found = IN_ADDRESS.exec(location.hash);
  if (!found) return stored();
  try {
    sessionStorage.setItem(NAME, found[1]);
  } catch {
    // without storage the key lasts until the page is loaded again
  }
  history.replaceState(null, "", location.pathname + location.search + (location.hash.slice(found[0].length) || "#/"));
  return found[1];
}

function stored() {
  try {
    return sessionStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

/** Look at the address again: somebody may have typed the key after it. */
export function refreshKey() {
  if (IN_ADDRESS.test(location.hash)) key = take();
}

/** The header that carries the key; none where there is no key. */
export const keyHeader = () => (key ? { "X-Szem-Key": key } : {});

/** The subprotocols of a WebSocket, which cannot have headers. */
export const keyProtocols = () => (key ? ["szem", `szem.key.${key}`] : []);
