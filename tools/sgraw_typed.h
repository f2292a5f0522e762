// The arguments of usb_sgraw as they were typed: the names of the options, their help, and the text
// given for each. Nothing is judged here; sgraw_options.cc does, so that every complaint can teach.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace usbtwin::tools {

// Empty text: the option was not given.
struct SgRawTyped {
  std::string device;
  std::string interface;
  std::string lun;
  bool bot = false;
  bool uasp = false;
  bool automatic = false;
  std::string transport;
  bool detach = false;
  bool no_detach = false;
  std::string record;
  bool audit = false;
  std::string faults;

  std::vector<std::string> words;  // [device] and command bytes
  std::string cdb;
  std::string hex_file;
  std::string binary_file;
  bool enumerate = false;

  std::string data_in;
  std::string data_out;
  std::string send;
  std::string input;
  std::string output;
  std::string skip;
  std::string timeout_ms;
  std::string timeout_s;

  bool hex = false;
  bool binary = false;
  bool sense = false;
  bool no_sense = false;
  bool quiet = false;
  int verbose = 0;
  bool ignore_residue = false;
  bool attention = false;
  bool json = false;
  std::string exit_table;
  bool read_only = false;
};

void AddSgRawOptions(CLI::App& cli, SgRawTyped& typed);

}  // namespace usbtwin::tools
