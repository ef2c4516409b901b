// How many flags are expected to be wrong, at the share of fakes that the reader enters.
const percent = (share) => (share < 0.1 ? `${Number((100 * share).toPrecision(2))} %` : `${(100 * share).toFixed(0)} %`);
const about = (number) => (number < 9.95 ? number.toFixed(1) : number.toFixed(0));
const wrongShare = (prevalence, fpr, tpr) => {
  const [wrong, right] = [(1 - prevalence) * fpr, prevalence * tpr];
  return wrong + right > 0 ? wrong / (wrong + right) : 1;
};
const rateWords = (rate, noun) => `${percent(rate.value)} of ${rate.faces} ${noun} (95 % interval ${percent(rate.low)} to ${percent(rate.high)})`;
const oddsWords = (prevalence, { name, real, fake }) => {
  const { flagged, faces } = data.outlook;
  const share = make("strong", {}, `${Number((100 * prevalence).toPrecision(4))} %`);
  const wrong = (fpr, tpr) => about(flagged * wrongShare(prevalence, fpr, tpr));
  const first = flagged
    ? [make("strong", {}, `about ${wrong(real.value, fake.value)} of the ${counted(flagged, "flagged face")}`),
      ` are expected to be real people (${wrong(real.low, fake.high)} to ${wrong(real.high, fake.low)} by the uncertainty of the error rates).`]
    : ["no flag is wrong: no face was flagged."];
  const expected = faces * ((1 - prevalence) * real.value + prevalence * fake.value);
  // three standard deviations of a count (Poisson): such a difference is hardly chance
  const many = flagged > expected + 3 * Math.sqrt(expected) + 1;
  return [
    make("p", { class: "result" }, "If ", share, " of all faces are fakes, ", ...first),
    make("p", {}, `At that share about ${about(expected)} of the ${counted(faces, "face")} would be flagged; this run flagged ${flagged}.${many ? ` ${data.words.odds.many}` : ""}`),
    make("p", {}, `The model's card, on “${name.replaceAll("_", " ")}”: it flags ${rateWords(real, "real faces")}, and ${rateWords(fake, "fakes")}.`),
  ];
};
const startOdds = () => {
  if (!data.outlook) return;
  const [share, measured] = [at("prevalence"), at("measured-on")];
  const show = () => {
    const prevalence = Number(share.value) / 100;
    const fine = share.value !== "" && prevalence > 0 && prevalence < 1;
    share.setAttribute("aria-invalid", String(!fine));
    at("odds-result").replaceChildren(...(fine
      ? oddsWords(prevalence, data.outlook.sets[measured ? Number(measured.value) : 0])
      : [make("p", {}, "Enter a share over 0 and under 100 %, such as 1.")]));
  };
  at("odds-form").addEventListener("submit", (event) => event.preventDefault());
  share.addEventListener("input", show);
  measured?.addEventListener("change", show);
  show();
};
