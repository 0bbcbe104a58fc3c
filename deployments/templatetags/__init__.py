"""What templates ask for: signs, icons, times, numbers, SQL."""
