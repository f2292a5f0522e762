#include "tools/sgraw_options.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace usbtwin;
using tools::SgRawOptions;
namespace data = boost::unit_test::data;

namespace {

tools::SgRawParse Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "usb_sgraw");
  return tools::ParseSgRaw(static_cast<int>(words.size()), words.data());
}

SgRawOptions Accept(std::vector<const char*> words) {
  const tools::SgRawParse parse = Parse(std::move(words));
  BOOST_TEST_REQUIRE(parse.options.has_value(), parse.error);
  return *parse.options;
}

const std::vector<uint8_t> kInquiry{0x12, 0, 0, 0, 0x24, 0};

// Command lines that mean the same INQUIRY.
struct Same {
  const char* name;
  std::vector<const char*> words;
};
std::ostream& operator<<(std::ostream& out, const Same& same) {
  return out << same.name;
}
const Same kInquiries[] = {
    {"own", {"-d", "1234:5678", "--cdb", "12 00 00 00 24 00", "--din", "36"}},
    {"long_device", {"--device=1234:5678", "--cdb=120000002400", "--din=0x24"}},
    {"commas", {"-d", "1234:5678", "--cdb", "12,0,0,0,24,0", "--din", "24h"}},
    {"sg_raw", {"1234:5678", "-r", "36", "12", "00", "00", "00", "24", "00"}},
    {"sg_raw_short", {"-r36", "1234:5678", "12", "0", "0", "0", "24", "0"}},
    {"sg_raw_long", {"--request=36", "1234:5678", "0x12", "0x0", "0", "0", "0x24", "0"}},
    {"device_named", {"-d", "1234:5678", "-r", "36", "12", "00", "00", "00", "24", "00"}},
    {"after_bytes", {"1234:5678", "12", "00", "00", "00", "24", "00", "-r", "36"}},
    {"one_word", {"1234:5678", "12 00 00 00 24 00", "-r", "36"}},
};

struct Refused {
  const char* name;
  std::vector<const char*> words;
  const char* complaint;
  bool contradiction = false;
};
std::ostream& operator<<(std::ostream& out, const Refused& refused) {
  return out << refused.name;
}
const Refused kRefused[] = {
    {"nothing", {}, "no device"},
    {"no_command", {"-d", "1:1"}, "no command"},
    {"no_device", {"12", "00"}, "no device"},
    {"bad_device", {"-d", "disk.img", "00"}, "emu:disk.img"},
    {"bad_cdb", {"-d", "1:1", "--cdb", "zz"}, "\"zz\" is not hex"},
    {"odd_cdb", {"-d", "1:1", "--cdb", "120"}, "is not hex"},
    {"empty_cdb", {"-d", "1:1", "--cdb", " "}, "the command is empty"},
    {"two_cdbs", {"-d", "1:1", "--cdb", "00", "00"}, "given twice", true},
    {"cdb_and_file", {"-d", "1:1", "--cdb", "00", "-c", "f"}, "given twice", true},
    {"raw_and_file", {"-d", "1:1", "-w", "g", "-c", "f"}, "given twice", true},
    {"unknown", {"-d", "1:1", "--frobnicate", "00"}, "\"--frobnicate\" is no option"},
    {"bad_ifnum", {"-d", "1:1", "--ifnum", "256", "00"}, "--ifnum must be 0 to 255"},
    {"bad_lun", {"-d", "1:1", "--lun", "x", "00"}, "--lun must be 0 to 255"},
    {"bad_din", {"-d", "1:1", "--din", "many", "00"}, "--din must be a number of bytes"},
    {"negative_din", {"-d", "1:1", "--din=-1", "00"}, "--din must be a number of bytes"},
    {"long_din", {"-d", "1:1", "--din", "257M", "00"}, "limit of 256 MiB"},
    {"long_send", {"-d", "1:1", "-s", "1G", "00"}, "limit of 256 MiB"},
    {"both_ways", {"-d", "1:1", "--din", "1", "--dout", "f", "00"}, "one way only", true},
    {"both_ways_sg", {"-d", "1:1", "-r", "1", "-s", "1", "00"}, "one way only", true},
    {"two_inputs", {"-d", "1:1", "--dout", "f", "-i", "g", "00"}, "contradict", true},
    {"two_from_stdin", {"-d", "1:1", "-c", "-", "-s", "4"}, "standard input", true},
    {"two_timeouts", {"-d", "1:1", "-t", "1", "--timeout-ms", "1", "00"}, "contradict", true},
    {"no_time", {"-d", "1:1", "--timeout-ms", "0", "00"}, "--timeout-ms must be 1"},
    {"two_transports", {"-d", "1:1", "--bot", "--uasp", "00"}, "exclude", true},
    {"transport_twice", {"-d", "1:1", "--bot", "--transport", "uasp", "00"}, "contradict", true},
    {"bad_transport", {"-d", "1:1", "--transport", "spi", "00"}, "auto, bot or uasp"},
    {"detach_both", {"-d", "1:1", "--detach-kernel", "--no-detach", "00"}, "contradict", true},
    {"hex_binary", {"-d", "1:1", "--hex", "-b", "00"}, "contradict", true},
    {"sense_both", {"-d", "1:1", "--sense", "-n", "00"}, "contradict", true},
    {"quiet_verbose", {"-d", "1:1", "-q", "-v", "00"}, "contradict", true},
    {"json_binary", {"-d", "1:1", "--json", "-b", "00"}, "contradict", true},
    {"json_stdout", {"-d", "1:1", "--json", "-o", "-", "00"}, "contradict", true},
    {"bad_table", {"-d", "1:1", "--exit-status", "bsd", "00"}, "plain or sg3"},
    {"input_twice",
     {"-d", "1:1", "-i", "f", "-i", "g", "00"},
     "--infile is given more than once",
     true},
    {"empty_din", {"-d", "1:1", "--din", "", "00"}, "--din is empty"},
    {"empty_device", {"-d", "", "00"}, "--device is empty"},
    {"no_value", {"00", "--lun"}, "--lun needs a value"},
    {"flag_value", {"-d", "1:1", "--audit=maybe", "00"}, "--audit takes no value"},
    {"skip_nothing", {"-d", "1:1", "-k", "1", "00"}, "--skip has no effect without", true},
    {"skip_no_bytes", {"-d", "1:1", "-k", "1", "-s", "0", "00"}, "--skip has no effect", true},
    {"send_no_file", {"-d", "1:1", "-s", "0", "-i", "f", "00"}, "--send 0 and --infile", true},
    {"outfile_nothing", {"-d", "1:1", "-o", "f", "00"}, "--outfile has no effect", true},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(sgraw_options)

BOOST_DATA_TEST_CASE(both_sets_of_names_mean_the_same, data::make(kInquiries)) {
  const SgRawOptions options = Accept(sample.words);
  BOOST_TEST(options.open.device == "1234:5678");
  BOOST_TEST(options.cdb == kInquiry);
  BOOST_TEST(options.data_in_length == 36u);
  BOOST_TEST(!options.sends_data);
  BOOST_TEST(options.lun == 0u);
  BOOST_TEST(options.timeout.count() == 30000);
}

BOOST_DATA_TEST_CASE(what_makes_no_sense_is_refused_with_a_reason, data::make(kRefused)) {
  const tools::SgRawParse parse = Parse(sample.words);
  BOOST_TEST_REQUIRE(!parse.options.has_value());
  BOOST_TEST(parse.exit_status == 4);
  BOOST_TEST_CONTEXT(parse.error) {
    BOOST_TEST(parse.error.find(sample.complaint) != std::string::npos);
    BOOST_TEST(parse.error.starts_with("usb_sgraw: "));
    BOOST_TEST(parse.error.ends_with("\n"));
  }
  std::vector<const char*> words = sample.words;
  words.insert(words.begin(), "--exit-status=sg3");
  if (std::string_view(sample.name) != "bad_table") {
    BOOST_TEST(Parse(words).exit_status == (sample.contradiction ? 31 : 1));
  }
}

BOOST_AUTO_TEST_CASE(every_device_option_arrives) {
  const SgRawOptions options =
      Accept({"-d", "3:7", "--ifnum", "2", "--lun", "1", "--uasp", "--detach-kernel", "-R",
              "--record", "t.pcap", "--audit", "00", "00", "00", "00", "00", "00"});
  BOOST_TEST(options.open.interface.value() == 2);
  BOOST_TEST(options.lun == 1u);
  BOOST_TEST((options.open.transport == app::TransportChoice::kUasp));
  BOOST_TEST((options.open.kernel_driver == app::KernelDriver::kDetach));
  BOOST_TEST(options.open.record_path == "t.pcap");
  BOOST_TEST(options.open.audit);
}

BOOST_AUTO_TEST_CASE(transports_are_chosen_in_two_ways) {
  const auto transport = [](const char* word) {
    return Accept({"-d", "1:1", word, "00"}).open.transport;
  };
  BOOST_TEST((transport("--bot") == app::TransportChoice::kBot));
  BOOST_TEST((transport("--transport=bot") == app::TransportChoice::kBot));
  BOOST_TEST((transport("--uasp") == app::TransportChoice::kUasp));
  BOOST_TEST((transport("--transport=uasp") == app::TransportChoice::kUasp));
  BOOST_TEST((transport("--auto") == app::TransportChoice::kAuto));
  BOOST_TEST((transport("--no-detach") == app::TransportChoice::kAuto));
}

BOOST_AUTO_TEST_CASE(data_out_comes_from_where_it_is_said) {
  const SgRawOptions whole = Accept({"-d", "1:1", "--dout", "f", "2a"});
  BOOST_TEST(whole.sends_data);
  BOOST_TEST(whole.input_path == "f");
  BOOST_TEST(!whole.send_length.has_value());

  const SgRawOptions part = Accept({"-d", "1:1", "-s", "1k", "-i", "f", "-k", "512", "2a"});
  BOOST_TEST(part.sends_data);
  BOOST_TEST(part.input_path == "f");
  BOOST_TEST(part.send_length.value() == 1024u);
  BOOST_TEST(part.input_skip == 512u);

  const SgRawOptions piped = Accept({"-d", "1:1", "-s", "40", "2a"});
  BOOST_TEST(piped.sends_data);
  BOOST_TEST(piped.input_path == "-");

  const SgRawOptions dash = Accept({"-d", "1:1", "--dout", "-", "2a"});
  BOOST_TEST(dash.sends_data);
  BOOST_TEST(dash.input_path == "-");

  BOOST_TEST(!Accept({"-d", "1:1", "-s", "0", "2a"}).sends_data);
}

BOOST_AUTO_TEST_CASE(data_in_goes_where_it_is_said) {
  for (const char* name : {"-o", "--outfile", "--dout-file", "--din-file"}) {
    BOOST_TEST(Accept({"-d", "1:1", "--din", "8", name, "f", "12"}).output_path.value() == "f");
  }
  BOOST_TEST(Accept({"-d", "1:1", "--din", "8", "-o", "-", "12"}).output_path.value() == "-");
  BOOST_TEST(!Accept({"-d", "1:1", "--din", "8", "12"}).output_path.has_value());
}

BOOST_AUTO_TEST_CASE(timeouts_are_milliseconds_or_seconds) {
  BOOST_TEST(Accept({"-d", "1:1", "--timeout-ms", "10", "00"}).timeout.count() == 10);
  BOOST_TEST(Accept({"-d", "1:1", "-t", "10", "00"}).timeout.count() == 10000);
  BOOST_TEST(Accept({"-d", "1:1", "--tmo=10", "00"}).timeout.count() == 10000);
  BOOST_TEST(Accept({"-d", "1:1", "-t", "0", "00"}).timeout.count() == 30000);
}

BOOST_AUTO_TEST_CASE(every_output_option_arrives) {
  const SgRawOptions options = Accept(
      {"-d", "1:1", "--hex", "--sense", "-vv", "00", "--ignore-residue", "--exit-status=sg3"});
  BOOST_TEST((options.format == SgRawOptions::Format::kHex));
  BOOST_TEST((options.sense_output == SgRawOptions::SenseOutput::kAlways));
  BOOST_TEST(options.verbosity == 2);
  BOOST_TEST(options.ignore_residue);
  BOOST_TEST((options.exit_table == tools::ExitTable::kSg3));
  const SgRawOptions other = Accept({"-d", "1:1", "-b", "-n", "-q", "00"});
  BOOST_TEST((other.format == SgRawOptions::Format::kBinary));
  BOOST_TEST((other.sense_output == SgRawOptions::SenseOutput::kNever));
  BOOST_TEST(other.quiet);
  BOOST_TEST(Accept({"-d", "1:1", "--json", "00"}).json);
}

BOOST_AUTO_TEST_CASE(enumerate_needs_no_device) {
  const SgRawOptions options = Accept({"-e", "12", "00", "00", "00", "24", "00"});
  BOOST_TEST(options.enumerate);
  BOOST_TEST(options.cdb == kInquiry);
  BOOST_TEST(Accept({"-e", "/dev/sg0", "12", "00"}).cdb == std::vector<uint8_t>({0x12, 0x00}));
}

BOOST_AUTO_TEST_CASE(help_teaches_examples_devices_and_exit_codes) {
  const tools::SgRawParse parse = Parse({"--help"});
  BOOST_TEST(parse.exit_status == 0);
  BOOST_TEST(parse.error == "");
  for (const char* part : {"Examples:", "Exit status:", "emu:disk.img", "--din", "--cmdfile",
                           "hex dump on a terminal", "1234:5678"}) {
    BOOST_TEST_CONTEXT(part) {
      BOOST_TEST(parse.output.find(part) != std::string::npos);
    }
  }
  size_t start = 0;
  for (size_t end; (end = parse.output.find('\n', start)) != std::string::npos; start = end + 1) {
    BOOST_TEST_CONTEXT(parse.output.substr(start, end - start)) {
      BOOST_TEST(end - start <= 100u);
    }
  }
}

BOOST_AUTO_TEST_CASE(version_is_one_line) {
  const tools::SgRawParse parse = Parse({"-V"});
  BOOST_TEST(parse.exit_status == 0);
  BOOST_TEST(parse.output == "usb_sgraw " USBTWIN_VERSION "\n");
}

BOOST_AUTO_TEST_CASE(a_command_file_is_hex_with_comments) {
  BOOST_TEST(tools::ParseHexText("12 00 00 # INQUIRY zz\n00 24 00").value() == kInquiry);
  BOOST_TEST(tools::ParseHexText("# only\n12,0,0,0,24,0\r\n").value() == kInquiry);
  BOOST_TEST(!tools::ParseHexText("").has_value());
  BOOST_TEST(!tools::ParseHexText("# nothing\n").has_value());
  BOOST_TEST(!tools::ParseHexText("12 zz").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
