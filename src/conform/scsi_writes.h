// What cases that write share: they borrow the first blocks of the medium and give them back.
#pragma once

#include <vector>

#include "conform/scsi_cases.h"

namespace usbtwin::conform {

using BlocksBody = async::Task<Finding> (*)(Bench& bench, const std::vector<uint8_t>& held);
// Runs `body` with what blocks 0 to `blocks_count` - 1 hold, and then writes that back.
async::Task<Finding> AroundBlocks(Bench& bench, uint32_t blocks_count, BlocksBody body);
// Each bit the other way.
std::vector<uint8_t> Inverted(Bytes data);
// "" where whole blocks from `lba` on hold these bytes, which the caller keeps meanwhile.
async::Task<std::string> ExpectBlocks(Bench& bench, uint64_t lba, Bytes expected);

}  // namespace usbtwin::conform
