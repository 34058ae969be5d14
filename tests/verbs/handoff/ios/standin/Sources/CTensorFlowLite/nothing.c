/* Only declarations: the functions are in the library. */
