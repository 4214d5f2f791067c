"""The program `cafe`: Ctrl-C ends it without a traceback while it is still being imported, too."""


def main() -> None:
    """Import and run the command line."""
    try:
        from cli import main as command
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    command.main()


if __name__ == "__main__":
    main()
