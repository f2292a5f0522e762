// Writes captures of link type 220 (usbmon records): pcapng with nanoseconds, or the classic file
// with microseconds for tools that know nothing else. Bytes go to an injected sink piece by piece,
// so a packet is neither copied nor gathered. After the first failure of the sink everything is
// dropped and error() says why; whoever writes need not ask. Several Recorders may share one.
#pragma once

#include <string>
#include <string_view>

#include "base/byte_sink.h"
#include "base/clock.h"

namespace usbtwin::link {

enum class PcapFormat : uint8_t { kPcapng, kPcap };

// The classic format where the name ends in ".pcap", in whatever case; pcapng for all others.
PcapFormat PcapFormatOf(std::string_view file_name);

class PcapWriter final {
 public:
  // Writes the head of the file at once.
  PcapWriter(ByteSink& sink, PcapFormat format);
  PcapWriter(const PcapWriter&) = delete;
  PcapWriter& operator=(const PcapWriter&) = delete;

  // One packet: Begin, then exactly `length` bytes in any number of pieces, then End. The time is
  // since 1970. Only pcapng keeps the comment, which is at most kCommentLengthMax bytes.
  void Begin(Duration time, uint32_t length, std::string_view comment = {});
  void Append(Bytes bytes);
  void End();
  bool Flush();

  bool failed() const { return !error_.empty(); }
  const std::string& error() const { return error_; }
  uint64_t packets_count() const { return packets_count_; }

  static constexpr uint32_t kCommentLengthMax = 1000;

 private:
  void Write(Bytes bytes);
  void WritePadding(uint32_t length);
  void WriteOption(uint16_t code, Bytes value);

  ByteSink& sink_;
  const PcapFormat format_;
  std::string error_;
  uint64_t packets_count_ = 0;
  // The packet between Begin and End.
  bool open_ = false;
  uint32_t length_ = 0;
  uint32_t length_left_ = 0;
  uint32_t block_length_ = 0;
  std::string comment_;  // a copy: the caller's may be gone; it keeps its memory
};

}  // namespace usbtwin::link
