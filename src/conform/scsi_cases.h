// The parts the suite of SCSI commands is made of, and what its cases share.
#pragma once

#include <initializer_list>
#include <string>

#include "conform/bench.h"

namespace usbtwin::conform {

std::span<const Case> ScsiUnitCases();          // what a unit says of itself
std::span<const Case> ScsiManagementCases();    // logs, buffers, operation codes, reservations
std::span<const Case> ScsiReadCases();          // commands that leave the medium as it is
std::span<const Case> ScsiWriteCases();         // commands that write
std::span<const Case> ScsiProvisioningCases();  // commands that unmap

inline constexpr uint32_t kInquiryLength = 36;
inline constexpr uint32_t kPageLengthMax = 252;

scsi::Cdb CdbOf(std::initializer_list<uint8_t> bytes);
inline Finding NoMedium() {
  return Skip("there is no medium");
}
// ILLEGAL REQUEST with this additional sense code; 20h says that the command is not supported.
std::string ExpectRefused(const Bench::Answer& answer, uint8_t asc);
bool IsRefused(const Bench::Answer& answer, uint8_t asc);
inline bool IsUnknown(const Bench::Answer& answer) {
  return IsRefused(answer, 0x20);
}
bool IsProtected(const Bench::Answer& answer);  // DATA PROTECT: the medium cannot be written
Finding NotSupported(const char* command);
// What a page of vital product data holds, or nothing where it is not there.
async::Task<std::vector<uint8_t>> VitalPage(Bench& bench, uint8_t page);
// Whether a page of vital product data says that the unit has protection information.
async::Task<bool> HasProtection(Bench& bench);

// A number in the parameter data, most significant byte first; 0 where it is cut off.
uint64_t NumberAt(Bytes data, size_t offset, size_t length);

}  // namespace usbtwin::conform
