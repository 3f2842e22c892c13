// erk
