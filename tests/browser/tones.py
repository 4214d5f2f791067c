"""A script of the kitchen's page for tests: it records what the page plays."""

# No jitter; records the frequency of every tone that the page plays.
SETUP = """
Math.random = () => 0.5;
window.tones = [];
if (sessionStorage.mayPlay) Object.defineProperty(AudioContext.prototype, "state", { get: () => "running" });
window.wakeLocks = 0;
navigator.wakeLock.request = async () => { window.wakeLocks += 1; };
const Tone = window.OscillatorNode;
window.OscillatorNode = class extends Tone {
  constructor(context, options) {
    super(context, options);
    tones.push(options.frequency);
  }
};
"""
