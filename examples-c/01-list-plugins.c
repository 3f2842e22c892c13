/* 01-list-plugins — what is installed: every plugin with its options.
 *
 *   cc -std=c11 -Iinclude examples-c/01-list-plugins.c -L. -lpare -o list-plugins && ./list-plugins [FOLDER]
 */
#include <pare/pare.h>
#include <stdio.h>

static void print_options(const pare_context *context, const pare_plugin_info *plugin)
{
    for (uint32_t i = 0; i < plugin->option_count; i++) {
        const pare_option_info *option = pare_plugin_option(context, plugin->kind, plugin->id, i);
        if (option == NULL) continue;
        printf("      %-14s %s", option->key, option->help);
        if (option->default_text != NULL) printf(" (default %s)", option->default_text);
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    pare_error error = {.struct_size = sizeof error};
    pare_context_config config = {.struct_size = sizeof config, .plugin_path = argc > 1 ? argv[1] : NULL};
    pare_context *context = NULL;
    if (pare_context_create(&config, &context, &error) != PARE_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }

    uint32_t major, minor;
    pare_abi_version(&major, &minor);
    uint32_t count = pare_plugin_count(context, NULL);
    printf("Pare %s, interface %u.%u, %u plugins\n", pare_version(), major, minor, count);

    int status = 0;
    for (uint32_t i = 0; i < count; i++) {
        pare_plugin_info plugin = {.struct_size = sizeof plugin};
        if (pare_plugin_at(context, NULL, i, &plugin, &error) != PARE_OK) {
            fprintf(stderr, "%s\n", error.message);
            status = 1;
            break;
        }
        printf("  %-18s %-14s %s\n", plugin.kind, plugin.id, plugin.summary);
        print_options(context, &plugin);
    }

    /* A plugin that could not be loaded does not stop the others; it is listed here. */
    const char *problem;
    for (uint32_t i = 0; (problem = pare_context_problem(context, i)) != NULL; i++) printf("not loaded: %s\n", problem);

    pare_context_destroy(context);
    return status;
}
