// The cells of a row in words.
const SIGNS = { flagged: "▲", inconclusive: "?", not_flagged: "○" };
const wordOf = (list, cell) => data.words[list]?.[cell] ?? cell;
const badge = (label) => label
  ? make("span", { class: `verdict ${label in SIGNS ? label : "none"}` }, `${SIGNS[label] ?? ""} ${wordOf("verdict", label)}`)
  : make("span", { class: "verdict none" }, "No verdict");
const nameOf = (row) => `${row.path}${row.face ? `, face ${row.face}` : ""}`;
// as many decimals as keep a score on its side of both thresholds
const score = (row) => {
  const value = row.p_fake;
  if (value === null || value === undefined) return "";
  const side = (p) => (p < row.threshold_low ? -1 : p >= row.threshold_high ? 1 : 0);
  for (let decimals = 3; decimals < 7; decimals += 1) {
    const text = value.toFixed(decimals);
    if (side(Number(text)) === side(value)) return text;
  }
  return String(value);
};
const several = (list, cell) => String(cell).split(";").map((word) => wordOf(list, word));

const origin = (row) => {
  const said = [wordOf("provenance", row.provenance)];
  if (row.provenance_claim) said.push(`It says: ${wordOf("claim", row.provenance_claim)}.`);
  if (row.generator) said.push(`It names the generator ${row.generator}.`);
  if (row.c2pa === "valid" || row.c2pa === "invalid") {
    const signer = row.c2pa_signer ? `; signer: ${row.c2pa_signer}` : "";
    const trust = row.c2pa_trust ? `; ${wordOf("trust", row.c2pa_trust)}` : "";
    said.push(`Signed: ${wordOf("c2pa", row.c2pa)}${signer}${trust}.`);
  }
  if (row.provenance_detail) said.push(`Where: ${row.provenance_detail}.`);
  return said.join(" ");
};

const seenBefore = (row) => {
  if (!row.known) return null;
  const near = row.known_distance ? `, ${counted(row.known_distance, "bit")} of 256 differ` : ", the same picture";
  return `On a list of known pictures as “${row.known}”${near}.${row.known_note ? ` Note: ${row.known_note}.` : ""}`;
};

const otherEvidence = (row) => (row.image_evidence ?? "").split(";").filter((word) => word && word !== "score");

// What a person should know of a row, the most important first; each a sentence.
const reasons = (row) => {
  const said = [];
  if (row.status === "error") said.push(`Not readable: ${row.error ?? wordOf("error_code", row.error_code)}.`);
  if (row.status === "no_face") said.push("No face was found in this image.");
  const others = otherEvidence(row);
  if (others.length) said.push(`The image is flagged by ${others.map((word) => wordOf("evidence", word)).join(" and ")}.`);
  if (row.reason) said.push(wordOf("reason", row.reason));
  if (row.p_fake_min !== null && row.p_fake_min !== undefined) {
    said.push(`With small changes of the picture p_fake is ${row.p_fake_min.toFixed(3)} to ${row.p_fake_max.toFixed(3)}.`);
  }
  said.push(seenBefore(row));
  const like = row.cluster ? inCluster.get(row.cluster) : [];
  const files = new Set(like.map((other) => other.path)).size;
  if (files > 1) said.push(`Near-duplicates: group ${row.cluster}, ${files} files of this run.`);
  if (row.warning) said.push(...several("warning", row.warning));
  if (row.status !== "error") said.push(origin(row));
  return said.filter(Boolean);
};

const members = (row) => Object.entries(row.members ?? {})
  .map(([name, logit]) => `${name} ${logit > 0 ? "+" : ""}${logit.toFixed(2)}`).join(", ");

// Terms and descriptions for the details of a row.
const facts = (row) => [
  ["p_fake", score(row) && `${score(row)} (thresholds ${row.threshold_low} and ${row.threshold_high})`],
  ["Networks", members(row) && `${members(row)} (more than 0 speaks for “fake”)`],
  ["Face", row.face && `${row.face} of ${row.faces}, ${row.face_px} pixels, found by ${wordOf("detector", row.detector)}`],
  ["Image", row.width && `${row.width} x ${row.height} pixels, ${row.format}`],
  ["Frame", row.frames > 1 && row.frame && `${row.frame} of ${row.frames}`],
  ["Image verdict", row.image_verdict && wordOf("verdict", row.image_verdict)],
  ["Status", wordOf("status", row.status)],
  ["Saved picture", row.overlay],
  ["PDQ", row.pdq && `${row.pdq} (quality ${row.pdq_quality} of 100)`],
  ["sha256", row.sha256],
  ["Model", row.model],
].filter(([, value]) => value);
