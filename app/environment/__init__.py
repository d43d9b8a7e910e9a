"""How people write settings: names, files and values. It knows how settings are written, and none of them."""
