"""What a gateway serves about itself: valid by the standards' own schemas, cheap to ask for again, readable."""
