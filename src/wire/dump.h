// Any bytes to readable lines, one a struct, in the manner of tcpdump. Nothing here trusts its
// input: what is cut short, contradicts itself or is left over is said and shown as hex, and the
// output is bounded however long the input is (kDumpLinesMax lines). For people: the command line,
// test failures, logs; nothing may parse it. Every function is a fuzz target.
#pragma once

#include <string>

#include "base/bytes.h"

namespace usbtwin::wire {

inline constexpr size_t kDumpLinesMax = 400;
inline constexpr size_t kDumpLineLengthMax = 1000;  // about: what was begun is ended
inline constexpr size_t kDumpHexMax = 32;           // bytes of hex in one line; the rest is counted

// Guesses what the bytes are: a capture file, a usbmon record, USB/IP, a wrapper, descriptors,
// an information unit, sense data, a setup packet, a command block; hex where nothing fits.
std::string Dump(Bytes bytes);

// USB 2.0 and 3.2, chapter 9.
std::string DumpSetup(Bytes bytes);
std::string DumpDescriptors(Bytes bytes);  // one after the other, as in a configuration or a BOS

// BOT 1.0, 5.1 and 5.2. The command block in a CBW is explained as well.
std::string DumpCommandWrapper(Bytes bytes);
std::string DumpStatusWrapper(Bytes bytes);
// One information unit of UAS, 6.2. A CDB of 16 bytes and sense data in it are explained as well.
std::string DumpIu(Bytes bytes);

// SCSI.
std::string DumpCdb(Bytes bytes);
std::string DumpSense(Bytes bytes);
std::string DumpInquiry(Bytes bytes);  // standard INQUIRY data; nothing in it tells it from others
const char* OpcodeName(uint8_t opcode);  // "READ(10)"; null for one we have no name for

// One usbmon record of 64 bytes with its isochronous descriptors and data.
std::string DumpUsbmon(Bytes bytes);
// A capture file, pcap or pcapng, little-endian, and the usbmon records in it.
std::string DumpCapture(Bytes bytes);

// USB/IP: what one end says, message after message, until one cannot be followed. A reply does not
// tell whether its transfer was IN: what follows it and is no reply itself counts as its data. Nor
// does a message tell whether it is isochronous: descriptors that fit it are taken for its own.
std::string DumpUsbip(Bytes bytes);

}  // namespace usbtwin::wire
