#include "link/pcap.h"

#include <boost/test/unit_test.hpp>

#include "tests/link/scripted_link.h"

using namespace usbtwin;        // NOLINT
using namespace usbtwin::link;  // NOLINT
using tests::MemorySink;

namespace {

constexpr auto kPcapngHead =
    "0a0d0d0a 2c000000 4d3c2b1a 0100 0000 ffffffffffffffff"  // section, length unknown
    "0400 0700 757362747769 6e 00 0000 0000 2c000000"        // written by "usbtwin"
    "01000000 20000000 dc00 0000 00000000"                   // interface, link type 220
    "0900 0100 09 000000 0000 0000 20000000"_hex;            // nanoseconds
constexpr auto kPcapHead = "d4c3b2a1 0200 0400 00000000 00000000 00000008 dc000000"_hex;

std::string After(const MemorySink& sink, size_t length) {
  return Hex(Drop(Bytes(sink.written), length), 0);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pcap_writer)

BOOST_AUTO_TEST_CASE(the_name_decides_the_format) {
  BOOST_TEST((PcapFormatOf("trace.pcap") == PcapFormat::kPcap));
  BOOST_TEST((PcapFormatOf("dir.pcap/Trace.PCAP") == PcapFormat::kPcap));
  for (const char* name : {"trace.pcapng", "trace", "", "pcap", "trace.pcap.gz", "x.pcap/trace"}) {
    BOOST_TEST((PcapFormatOf(name) == PcapFormat::kPcapng), name);
  }
}

BOOST_AUTO_TEST_CASE(the_heads_are_written_at_once) {
  MemorySink pcapng, pcap;
  PcapWriter first(pcapng, PcapFormat::kPcapng);
  PcapWriter second(pcap, PcapFormat::kPcap);
  BOOST_TEST(Hex(pcapng.written, 0) == Hex(kPcapngHead, 0));
  BOOST_TEST(Hex(pcap.written, 0) == Hex(kPcapHead, 0));
}

BOOST_AUTO_TEST_CASE(a_pcapng_packet_is_padded_and_keeps_nanoseconds) {
  MemorySink sink;
  PcapWriter writer(sink, PcapFormat::kPcapng);
  writer.Begin(Duration(0x0000000200000003), 5);
  writer.Append("0102"_hex);
  writer.Append({});
  writer.Append("030405"_hex);
  writer.End();
  BOOST_TEST(After(sink, kPcapngHead.size()) ==
             Hex("06000000 28000000 00000000 02000000 03000000 05000000 05000000"
                 "0102030405 000000 28000000"_hex,
                 0));
  BOOST_TEST(writer.packets_count() == 1u);
}

BOOST_AUTO_TEST_CASE(a_comment_follows_the_packet) {
  MemorySink sink;
  PcapWriter writer(sink, PcapFormat::kPcapng);
  writer.Begin(Duration(0), 4, "stream 3");
  writer.Append("01020304"_hex);
  writer.End();
  BOOST_TEST(After(sink, kPcapngHead.size()) ==
             Hex("06000000 34000000 00000000 00000000 00000000 04000000 04000000 01020304"
                 "0100 0800 73747265616d2033 0000 0000 34000000"_hex,
                 0));
  // The next packet has none.
  const size_t length = sink.written.size();
  writer.Begin(Duration(0), 0);
  writer.End();
  BOOST_TEST(After(sink, length) ==
             Hex("06000000 20000000 00000000 00000000 00000000 00000000 00000000 20000000"_hex, 0));
}

BOOST_AUTO_TEST_CASE(a_classic_packet_has_microseconds_and_no_padding) {
  MemorySink sink;
  PcapWriter writer(sink, PcapFormat::kPcap);
  writer.Begin(Duration(1'000'002'999), 1, "dropped");
  writer.Append("07"_hex);
  writer.End();
  BOOST_TEST(After(sink, kPcapHead.size()) == Hex("01000000 02000000 01000000 01000000 07"_hex, 0));
}

// Whatever write it is that fails.
BOOST_AUTO_TEST_CASE(after_a_failure_nothing_is_written_and_the_reason_is_kept) {
  MemorySink whole;
  const auto write = [](MemorySink& sink) {
    PcapWriter writer(sink, PcapFormat::kPcapng);
    for (int index = 0; index < 2; ++index) {
      writer.Begin(Duration(index), 3, "why");
      writer.Append("010203"_hex);
      writer.End();
    }
    const bool flushed = writer.Flush();
    BOOST_TEST(flushed == !writer.failed());
    return writer.error();
  };
  BOOST_TEST(write(whole) == "");
  for (size_t length = 0; length < whole.written.size(); ++length) {
    MemorySink sink;
    sink.length_max = length;
    BOOST_TEST(write(sink) == "no space left");
    BOOST_TEST(sink.written.size() <= length);
    BOOST_TEST(std::equal(sink.written.begin(), sink.written.end(), whole.written.begin()));
  }
}

BOOST_AUTO_TEST_CASE(a_failed_write_is_the_last_one) {
  MemorySink sink;
  sink.length_max = 0;
  PcapWriter writer(sink, PcapFormat::kPcap);
  BOOST_TEST(writer.failed());
  writer.Begin(Duration(0), 1);
  writer.Append("01"_hex);
  writer.End();
  BOOST_TEST(sink.writes_count == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
