/** The ways by which files come: chosen, pasted, dropped anywhere. */

const element = (id) => document.getElementById(id);

/** From now on `add(files)` gets them. */
export default function incoming(add) {
  const choosing = () => element("files").click();
  for (const id of ["choose", "add"]) element(id).addEventListener("click", choosing);
  element("files").addEventListener("change", () => {
    add([...element("files").files]);
    element("files").value = "";
  });
  document.addEventListener("paste", (event) => {
    const given = [...event.clipboardData?.files ?? []];
    if (given.length) event.preventDefault();
    add(given);
  });
  dropping(add);
}

function dropping(add) {
  let depth = 0;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const over = () => { element("over").hidden = depth <= 0; };
  const count = (by) => (event) => {
    if (!hasFiles(event)) return;
    depth += by;
    over();
  };
  document.addEventListener("dragenter", count(1));
  document.addEventListener("dragleave", count(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    over();
    add([...event.dataTransfer?.files ?? []]);
  });
}
