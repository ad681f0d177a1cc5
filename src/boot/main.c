#include "boot/boot.h"

int main(int argc, char **argv) {
        return boot_main("faering-boot", argc, argv);
}
