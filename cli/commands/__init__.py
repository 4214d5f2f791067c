"""The commands of `cafe`, one file each; `cli.main` registers them."""
