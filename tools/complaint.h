// What is wrong with a command line, in words that name the option and say what to do about it. The
// parser's own errors are translated here, and its checks are replaced by ones that complain alike.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace usbtwin::tools {

// "--lun must be 0 to 15, and not "99"".
CLI::Validator NumberFrom(double low, double high);
// "--as must be auto, cdb or sense, and not "poem"".
CLI::Validator OneOf(std::vector<std::string> names);

std::string Complaint(const CLI::ParseError& error);

// About the first option that was given an empty value: none of ours means anything by that.
std::optional<std::string> EmptyValue(const CLI::App& app);

// The same for a word such as "--outfile=" that ends where its value should begin: the parser would
// take the next word for it. To be asked before it parses.
std::optional<std::string> EmptyValue(int argc, const char* const* argv);
// Whether the same option is there twice.
bool IsRepetition(const CLI::ParseError& error);

// Whether --json is among the words: known even where the line could not be read as a whole.
bool WantsJson(int argc, const char* const* argv);

}  // namespace usbtwin::tools
