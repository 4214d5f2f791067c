/** Short sounds, made without files. A browser is silent until the page is touched, and may become silent again. */

/** The tones of each sound: hertz, and the start in seconds. */
const SOUNDS = {
  new: [[659, 0], [880, 0.15]],
  cancelled: [[523, 0], [392, 0.2], [262, 0.4]],
  overdue: [[988, 0], [988, 0.2], [988, 0.4]],
  ready: [[523, 0], [659, 0.15], [784, 0.3]],
};
const LENGTH = 0.5; // seconds in which a tone fades
const LOUDNESS = 0.35;

export class Sound {
  /** @type {AudioContext | null} */
  #context = null;

  /** @param {() => void} onChange called when the browser allows sound, or no longer does */
  constructor(onChange) {
    if (!("AudioContext" in window)) return;
    const context = new AudioContext();
    this.#context = context;
    context.addEventListener("statechange", () => onChange());
    const resume = () => {
      if (!this.isOn) context.resume().catch(() => {});
    };
    for (const touch of ["pointerup", "click", "keydown"]) document.addEventListener(touch, resume, { capture: true });
  }

  get isOn() {
    return this.#context?.state === "running";
  }

  /** Play a sound now or never: a late one would be taken for another order's. @param {keyof typeof SOUNDS} name */
  play(name) {
    const context = this.#context;
    if (context?.state !== "running") return;
    const begin = context.currentTime;
    for (const [frequency, after] of SOUNDS[name]) {
      const tone = new OscillatorNode(context, { type: "triangle", frequency });
      const gain = new GainNode(context, { gain: 0 });
      gain.gain.setValueAtTime(LOUDNESS, begin + after);
      gain.gain.exponentialRampToValueAtTime(0.001, begin + after + LENGTH);
      tone.connect(gain).connect(context.destination);
      tone.start(begin + after);
      tone.stop(begin + after + LENGTH);
    }
  }
}
