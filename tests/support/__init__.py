"""What several tests need: stand-ins for services, captures of what goes out, builders of what comes in."""
