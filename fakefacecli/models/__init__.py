"""Networks, their cards and the exact way each wants its faces."""
