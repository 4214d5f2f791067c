"""What an order is and what is counted: pure Python that knows no AWS and no SQL."""
