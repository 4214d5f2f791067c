
// CloudFront function: admits viewers from NETWORKS, and all viewers of the paths in OPEN. The deploy prepends
// both constants. It compares whole paths, so that no other spelling of one, such as with `%2D`, bypasses it.

// biome-ignore lint/correctness/noUnusedVariables: CloudFront calls it.
function handler(/** @type {GuardEvent} */ event) {
  var request = event.request;
  if (OPEN.includes(request.uri)) {
    return request;
  }
  var address = bytesOf(event.viewer.ip);
  if (NETWORKS.some((network) => isIn(address, network))) {
    return request;
  }
  return {
    statusCode: 403,
    statusDescription: "Forbidden",
    headers: { "content-type": { value: "application/json" }, "cache-control": { value: "no-store" } },
    body: '{"message": "The order status and the kitchen are not open to your network."}',
  };
}

function isIn(/** @type {number[]} */ address, /** @type {GuardNetwork} */ network) {
  if (address.length !== network.bytes.length) {
    return false;
  }
  return network.bytes.every((byte, index) => {
    var bits = Math.min(8, Math.max(0, network.bits - 8 * index));
    return address[index] >> (8 - bits) === byte >> (8 - bits);
  });
}

// Return the 4 bytes of an IPv4 address, the 16 of an IPv6 address, or none if it is invalid.
function bytesOf(/** @type {string} */ text) {
  var bytes = text.includes(":") ? bytesOfIpv6(text) : text.split(".").map(Number);
  return bytes.every((byte) => byte >= 0 && byte <= 255) ? bytes : [];
}

function bytesOfIpv6(/** @type {string} */ text) {
  // `::` stands for the missing groups of zeros.
  var halves = text.split("::").map((half) => (half ? half.split(":") : []));
  var missing = 8 - halves.reduce((sum, half) => sum + half.length, 0);
  if (halves.length > 2 || missing < 0 || (halves.length === 1 && missing > 0)) {
    return [];
  }
  var bytes = /** @type {number[]} */ ([]);
  halves[0].concat(Array(missing).fill("0"), halves[1] || []).forEach((group) => {
    var number = parseInt(group, 16);
    bytes.push(number >> 8, number & 255);
  });
  return bytes;
}
