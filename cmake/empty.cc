// The source of a target that has a precompiled header only.
