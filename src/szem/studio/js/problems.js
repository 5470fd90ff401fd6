// What can go wrong, by name; the words and the remedy are in i18n as problem.NAME and problem.NAME.remedy.

/** An error the visitor can do something about. */
export class Problem extends Error {
  /** @param name one of the problem.* keys of i18n; values fill its {places}; detail is what the server said */
  constructor(name, values = {}, detail = "") {
    super(`${name} ${JSON.stringify(values)} ${detail}`);
    this.code = name;
    this.values = values;
    this.detail = detail;
  }
}

/** The words for an error: {title, remedy}. What no one foresaw shows as what it is. */
export function wordsFor(error, words) {
  const closeLabel = words.t("close");
  if (error instanceof Problem) {
    const title = words.t(`problem.${error.code}`, error.values);
    const remedy = words.t(`problem.${error.code}.remedy`, error.values);
    return { title, remedy: error.detail ? `${remedy} (${error.detail})` : remedy, closeLabel };
  }
  return {
    title: words.t("problem.unknown"),
    remedy: words.t("problem.unknown.remedy", { message: String(error?.message ?? error) }),
    closeLabel,
  };
}
