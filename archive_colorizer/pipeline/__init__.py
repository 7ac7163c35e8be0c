"""Run over photographs from beginning to end: once, in a watched folder, or as a settings grid."""
