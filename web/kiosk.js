// Set the classes of a wall screen (`?kiosk`) before the first paint, so that the layout does not change after it.
if (new URLSearchParams(location.search).has("kiosk")) {
  document.documentElement.classList.add("kiosk");
  document.documentElement.classList.toggle("wall", matchMedia("(min-width: 40em)").matches);
}
