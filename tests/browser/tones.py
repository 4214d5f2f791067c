"""A script for tests of the screens: it records what a page plays and moves."""

# No jitter; records the frequency of every tone, and counts wake locks and gliding cards.
SETUP = """
Math.random = () => 0.5;
window.tones = [];
if (sessionStorage.mayPlay) Object.defineProperty(AudioContext.prototype, "state", { get: () => "running" });
window.wakeLocks = 0;
navigator.wakeLock.request = async () => { window.wakeLocks += 1; };
window.glides = 0;
const { animate } = Element.prototype;
Element.prototype.animate = function (...how) { window.glides += 1; return animate.apply(this, how); };
const Context = window.AudioContext;
window.AudioContext = class extends Context { constructor() { super(); window.audio = this; } };
const Tone = window.OscillatorNode;
window.OscillatorNode = class extends Tone {
  constructor(context, options) {
    super(context, options);
    tones.push(options.frequency);
  }
};
"""
