"""What `dataset merge` knows of each kind of file: params by key, rows by row, folders by file, the lock by stage."""
