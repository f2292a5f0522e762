// Whole files: read one into memory, write one through a buffer, and see that what is written is
// not what is read. Called by LinuxSystem.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/system.h"

namespace usbtwin::os {

// Bounded, so that a file without an end is an error and not the end of all memory.
Result<std::vector<uint8_t>, app::Failure> ReadWholeFile(const std::string& path,
                                                         size_t length_max);

// By device and inode, so through links of both kinds as well. Pipes, terminals and the like are
// nobody's: /dev/null may be read and written at once.
Result<void, app::Failure> CheckOutputs(const app::FileNames& names);

// Creates or empties the file. What was written reaches it with Flush, when the buffer is full, or
// when the sink goes; only Flush tells whether the last of it did.
Result<std::unique_ptr<ByteSink>, app::Failure> CreateFileSink(const std::string& path);

}  // namespace usbtwin::os
