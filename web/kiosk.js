// Loaded before the first paint, for the layout must not change after it: a wall screen asks for `?kiosk`.
if (new URLSearchParams(location.search).has("kiosk")) {
  document.documentElement.classList.add("kiosk");
  document.documentElement.classList.toggle("wall", matchMedia("(min-width: 40em)").matches);
}
