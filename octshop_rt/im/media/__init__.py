"""Files of conversations: uploads checked and kept, held by the entries that show them, given to those who may see."""
