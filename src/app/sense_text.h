// Sense data in words: key, ASC and ASCQ by number, and what SPC calls them, from libsgutils2 where
// the build has it. The numbers and the raw bytes are always there, because vendors use codes no
// table knows. Called by whoever shows a CHECK CONDITION to a person.
#pragma once

#include <string>

#include "base/bytes.h"
#include "proto/sense.h"

namespace usbtwin::app {

// What the standard calls ASC and ASCQ: "Logical block address out of range". Vendor-specific codes
// are named so; "" where no name is known or the build has no tables.
std::string AdditionalSenseText(uint8_t asc, uint8_t ascq);

// The command's name by its operation code and service action: "Inquiry", "Read(10)". `cdb` holds
// at least one byte. "" where the build has no tables.
std::string CommandName(Bytes cdb);

// One line: "Illegal Request, Logical block address out of range (05/21/00), information 1234".
std::string DescribeSense(const scsi::Sense& sense);

// The same from raw sense bytes; says what is wrong with bytes that are no sense data. Several
// lines where `in_full`: every descriptor and flag decoded. No line ends at the end.
std::string DescribeSense(Bytes sense_bytes, bool in_full);

}  // namespace usbtwin::app
