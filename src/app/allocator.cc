// How jemalloc is set (jemalloc(3), "TUNING"). Events are freed by other threads than those that
// made them: glibc's arenas keep what they once held (65 MB more, and a tenth less throughput).

// Four arenas for all threads; what is free goes back to the system within seconds.
extern "C" const char* malloc_conf;  // NOLINT(readability-identifier-naming)
const char* malloc_conf = "narenas:4,dirty_decay_ms:2000,muzzy_decay_ms:0,background_thread:true";
