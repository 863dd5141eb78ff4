"""What every Tickwire process stands on; imports neither gateway nor producer."""
