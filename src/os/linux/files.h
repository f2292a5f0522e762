// Whole files: read one into memory, write one through a buffer. Called by LinuxSystem.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/failure.h"
#include "base/byte_sink.h"
#include "base/error.h"

namespace usbtwin::os {

// Bounded, so that a file without an end is an error and not the end of all memory.
Result<std::vector<uint8_t>, app::Failure> ReadWholeFile(const std::string& path,
                                                         size_t length_max);

// Creates or empties the file. What was written reaches it with Flush, when the buffer is full, or
// when the sink goes; only Flush tells whether the last of it did.
Result<std::unique_ptr<ByteSink>, app::Failure> CreateFileSink(const std::string& path);

}  // namespace usbtwin::os
