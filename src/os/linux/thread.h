// Threads for calls that block. They take none of the program's signals, so that those reach the
// loop's thread, but faults: a blocked one would end the process without its handler.
#pragma once

#include <pthread.h>

namespace usbtwin::os {

// Not std::thread, which throws: false where the system gives no thread. `own_signal` it takes as
// well; 0: none.
[[nodiscard]] bool StartThread(pthread_t& thread, void* (*run)(void*), void* argument,
                               int own_signal = 0);

}  // namespace usbtwin::os
