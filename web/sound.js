/** Short sounds, made without files. A browser is silent until somebody has touched the page, and may fall silent again. */

/** Each sound: tones in hertz, and when each begins in seconds. */
const SOUNDS = {
  new: [[659, 0], [880, 0.15]],
  cancelled: [[523, 0], [392, 0.2], [262, 0.4]],
  overdue: [[988, 0], [988, 0.2], [988, 0.4]],
  ready: [[523, 0], [659, 0.15], [784, 0.3]],
};
const LENGTH = 0.5; // seconds that a tone takes to fade
const LOUDNESS = 0.35;

export class Sound {
  #context = null;

  /** `onChange` is called when the browser lets the page sound, or no longer does. */
  constructor(onChange) {
    if (!("AudioContext" in window)) return;
    this.#context = new AudioContext();
    this.#context.addEventListener("statechange", () => onChange());
    const resume = () => {
      if (!this.isOn) this.#context.resume().catch(() => {});
    };
    for (const touch of ["pointerup", "click", "keydown"]) document.addEventListener(touch, resume, { capture: true });
  }

  get isOn() {
    return this.#context?.state === "running";
  }

  /** Play a sound now, or not at all: one that comes late would be taken for another order's. */
  play(name) {
    if (!this.isOn) return;
    const begin = this.#context.currentTime;
    for (const [frequency, after] of SOUNDS[name]) {
      const tone = new OscillatorNode(this.#context, { type: "triangle", frequency });
      const gain = new GainNode(this.#context, { gain: 0 });
      gain.gain.setValueAtTime(LOUDNESS, begin + after);
      gain.gain.exponentialRampToValueAtTime(0.001, begin + after + LENGTH);
      tone.connect(gain).connect(this.#context.destination);
      tone.start(begin + after);
      tone.stop(begin + after + LENGTH);
    }
  }
}
