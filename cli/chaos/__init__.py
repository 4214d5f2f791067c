"""Breaking a local stack on purpose: `cafe chaos`."""
