// From the text of a module to a library of its kernels, for the driver, which loads it, and NVRTC, which wants to know
// whether it compiles.
//
// The text is CUDA C++ after the preprocessor, without CUDA's own headers. It takes the place of PTX, so that whoever
// compiles once and keeps the result (a build script, a cache) keeps nothing of the emulator's.
#pragma once
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

static const char *const EMULATED = "// emulated";
static const char *const FLAGS[] = {"-std=gnu++17", "-O2", "-fPIC", "-w", "-fno-strict-aliasing", "-ffp-contract=off",
                                    "-fvisibility=hidden", "-fno-gnu-unique", "-fno-threadsafe-statics",
                                    // A misaligned access is an error on a GPU: it traps.
                                    "-fsanitize=alignment", "-fsanitize-undefined-trap-on-error"};

static std::string read_file(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The emulator's folder: that of this library, one up.
static std::string emulator_folder() {
    Dl_info info;
    if (!dladdr((void *)&emulator_folder, &info)) return ".";
    char *whole = realpath(info.dli_fname, nullptr);
    std::string path = whole ? whole : info.dli_fname;
    free(whole);
    path.resize(path.rfind('/'));
    return path.substr(0, path.rfind('/'));
}

// Runs a program; what it says goes to `said`. Returns whether it succeeded.
static bool run(const std::vector<std::string> &words, std::string &said) {
    std::vector<char *> arguments;
    for (auto &word : words) arguments.push_back((char *)word.c_str());
    arguments.push_back(nullptr);
    int ends[2];
    if (pipe(ends)) return false;
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        execvp(arguments[0], arguments.data());
        _exit(127);
    }
    close(ends[1]);
    char part[4096];
    for (ssize_t n; (n = read(ends[0], part, sizeof part)) != 0;) {
        if (n > 0) said.append(part, (size_t)n);
        else if (errno != EINTR) break;
    }
    close(ends[0]);
    int status = -1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (status == 127 << 8) said += "there is no " + words[0] + "\n";
    return status == 0;
}

static bool of_name(char c) { return isalnum((unsigned char)c) || c == '_'; }

// Text cut into what stands for itself: names and numbers, strings, and signs one by one, with where each begins.
struct Token {
    size_t at;
    std::string word;
};
static std::vector<Token> tokens_of(const std::string &text) {
    std::vector<Token> tokens;
    for (size_t i = 0; i < text.size();) {
        size_t from = i;
        if (text[i] == '#' && (i == 0 || text[i - 1] == '\n')) { // a line for the compiler
            i = std::min(text.find('\n', i), text.size());
            continue;
        }
        if (isspace((unsigned char)text[i])) { i++; continue; }
        if (of_name(text[i])) {
            while (i < text.size() && of_name(text[i])) i++;
        } else if (text[i] == '"' || text[i] == '\'') {
            for (i++; i < text.size() && text[i] != text[from]; i++) i += text[i] == '\\';
            i++;
        } else {
            i++;
        }
        tokens.push_back({from, text.substr(from, i - from)});
    }
    return tokens;
}

// `__global__` and `__shared__` in words of C++, in their lines. The names of the kernels go to `kernels`, with the most
// threads that `__launch_bounds__` lets a block have, as it is written.
static std::string in_plain_words(const std::string &text, std::map<std::string, std::string> &kernels) {
    std::vector<Token> tokens = tokens_of(text);
    std::string plain;
    size_t copied = 0, statement = 0; // `statement`: the token that the current one begins with
    std::vector<bool> functions;      // of the braces that are open: within a function or a type?
    auto copy_to = [&](size_t at) { plain.append(text, copied, at - copied), copied = at; };
    auto has = [&](size_t from, size_t to, const char *word) {
        for (; from < to; from++)
            if (tokens[from].word == word) return true;
        return false;
    };
    bool c_names = false; // in `extern "C" {`
    for (size_t i = 0; i < tokens.size(); i++) {
        const std::string &word = tokens[i].word;
        bool within = !functions.empty() && functions.back();
        if (word == "{") {
            bool c = i > 0 && tokens[i - 1].word == "\"C\"";
            c_names |= c;
            functions.push_back(within || !(c || has(statement, i, "namespace")));
            statement = i + 1;
        } else if (word == "}") {
            if (!functions.empty()) functions.pop_back();
            if (functions.empty()) c_names = false;
            statement = i + 1;
        } else if (word == ";") {
            statement = i + 1;
        } else if (word == "__global__") {
            copy_to(tokens[i].at);
            copied += word.size();
            bool c = c_names || has(statement, i, "\"C\"");
            std::string most = "1024";
            for (size_t j = i; c && j + 1 < tokens.size() && tokens[j].word != "{" && tokens[j].word != ";"; j++) {
                if (tokens[j + 1].word != "(" || !of_name(tokens[j].word[0])) continue;
                if (tokens[j].word == "__launch_bounds__") {
                    most.clear();
                    int depth = 0;
                    for (j += 2; depth > 0 || (tokens[j].word != ")" && tokens[j].word != ","); j++) {
                        depth += tokens[j].word == "(" ? 1 : tokens[j].word == ")" ? -1 : 0;
                        most += tokens[j].word + " ";
                    }
                } else if (tokens[j].word != "__attribute__") {
                    kernels[tokens[j].word] = most;
                    break;
                }
            }
        } else if (word == "__shared__") {
            // Of `extern __shared__ T name[];` and `__shared__ T a[1], b;`: the type, the names, and where it ends.
            bool dynamic = has(statement, i, "extern"), given = has(statement, i, "static"), dimensions = false;
            std::vector<std::string> names;
            std::string name, type;
            size_t end = i + 1;
            int brackets = 0, angles = 0;
            for (; end < tokens.size(); end++) {
                const std::string &next = tokens[end].word;
                bool at_top = brackets == 0 && angles == 0;
                if (next == "(" && at_top && !dimensions) name.clear(); // `__align__(16)`
                if (at_top && (next == "," || next == ";")) {
                    names.push_back(name);
                    dimensions = false;
                    if (next == ";") break;
                } else if (next == "{" || next == "(" || next == "[") {
                    dimensions |= at_top && next == "[";
                    brackets++;
                } else if (next == "}" || next == ")" || next == "]") {
                    brackets--;
                } else if (brackets == 0 && !dimensions) {
                    angles += next == "<" ? 1 : next == ">" ? -1 : 0;
                    if (names.empty()) type += name, type += name.empty() ? "" : " ", name.clear();
                    if (at_top && of_name(next[0])) name = next;
                    else if (names.empty()) type += next + " ";
                }
            }
            if (end == tokens.size()) continue;
            if (dynamic) {
                copy_to(tokens[statement].at);
                plain += within ? type + "*" + name + " = (" + type + "*)emulated.dynamic_shared;"
                                : "static const emulated_dynamic<" + type + "> " + name + ";";
                copied = tokens[end].at + 1;
            } else {
                copy_to(tokens[i].at);
                plain += given ? "" : "static";
                copied += word.size();
                copy_to(tokens[end].at + 1);
                for (auto &each : names)
                    plain += " static const bool emulated_of_" + each + " = emulated_shared<sizeof " + each +
                             ">((void *)&" + each + ");";
            }
            i = end, statement = end + 1;
        }
    }
    copy_to(text.size());
    return plain;
}

// FNV-1a, of 64 bits.
static std::string hash_of(const std::string &text) {
    unsigned long long hash = 0xCBF29CE484222325;
    for (unsigned char c : text) hash = (hash ^ c) * 0x100000001B3;
    char hex[17];
    snprintf(hex, sizeof hex, "%016llx", hash);
    return hex;
}

static std::string cache_folder() {
    std::string folder;
    if (const char *given = getenv("INDHEAD_EMULATOR_CACHE")) {
        folder = given;
    } else {
        const char *temporary = getenv("TMPDIR");
        folder = std::string(temporary ? temporary : "/tmp") + "/indhead-emulator-" + std::to_string(getuid());
    }
    for (size_t i = 1; i <= folder.size(); i++)
        if (i == folder.size() || folder[i] == '/') mkdir(folder.substr(0, i).c_str(), 0700);
    return folder;
}

// Makes the library, if the cache does not have it. Gives its path, or nothing, with what the compiler said in `log`.
static std::string build_module(const std::string &text, std::string &log) {
    static const std::string root = emulator_folder();
    static const std::string compiler = [] {
        std::string said;
        run({"c++", "--version"}, said);
        for (const char *flag : FLAGS) said += flag;
        for (const char *header : {"device.h", "small_float.h", "half.h", "bfloat16.h"})
            said += read_file(root + "/" + header);
        return said;
    }();
    // Of the text's first line: "// emulated 800", where 800 is `__CUDA_ARCH__`, or "// emulated 800 nvrtc".
    size_t head = std::min(text.find('\n'), text.size());
    std::istringstream first(text.substr(std::min(strlen(EMULATED), head), head - std::min(strlen(EMULATED), head)));
    std::string arch = "800", by;
    first >> arch >> by;
    std::map<std::string, std::string> kernels;
    std::string plain = in_plain_words(text.substr(head), kernels);
    // A header of CUDA's leaves a line that says which of the emulator's it stands for.
    const std::string mark = "#pragma emulated ";
    for (size_t at = 0; (at = plain.find(mark, at)) != std::string::npos;) {
        size_t end = std::min(plain.find('\n', at), plain.size());
        plain.replace(at, end - at, "#include \"" + root + "/" + plain.substr(at + mark.size(), end - at - mark.size()) + "\"");
    }
    std::string source = "#define __CUDA_ARCH__ " + arch + "\n" + (by == "nvrtc" ? "#define __CUDACC_RTC__\n" : "") +
                         "#include \"" + root + "/device.h\"\n" + plain + "\n";
    for (auto &[name, most] : kernels)
        source += "extern \"C\" __attribute__((visibility(\"default\"))) void emulated_kernel_" + name +
                  "(void **p) { emulated_call(" + name + ", p); }\n" +
                  "extern \"C\" __attribute__((visibility(\"default\"))) int emulated_look_" + name +
                  "(void **p, void (*look)(int, const void *)) { emulated_look(" + name + ", p, look); return " + most + "; }\n";

    std::string folder = cache_folder(), path = folder + "/" + hash_of(compiler + source) + ".so";
    if (access(path.c_str(), R_OK) == 0) return path;
    std::string own = path + "." + std::to_string(gettid());
    std::ofstream(own + ".cpp", std::ios::binary) << source;
    std::vector<std::string> words = {"c++"};
    words.insert(words.end(), std::begin(FLAGS), std::end(FLAGS));
    for (auto &word : {std::string("-shared"), std::string("-o"), own, own + ".cpp"}) words.push_back(word);
    bool done = run(words, log) && rename(own.c_str(), path.c_str()) == 0;
    if (!getenv("INDHEAD_EMULATOR_KEEP")) unlink((own + ".cpp").c_str());
    if (!done) unlink(own.c_str());
    return done ? path : "";
}
