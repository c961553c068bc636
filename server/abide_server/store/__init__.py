"""What the server keeps: one seam (:mod:`.base`), one implementation per database."""
