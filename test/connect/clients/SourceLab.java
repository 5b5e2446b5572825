import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.sourcelab.kafka.connect.apiclient.Configuration;
import org.sourcelab.kafka.connect.apiclient.KafkaConnectClient;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigDefinition;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigValidationResults;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorStatus;
import org.sourcelab.kafka.connect.apiclient.request.dto.NewConnectorDefinition;
import org.sourcelab.kafka.connect.apiclient.request.post.PostConnectorRestart;

/**
 * Drives an implementation of Kafka Connect's REST with AKHQ's client, as AKHQ does:
 * URL, name of a connector to create, and its configuration as key=value.
 */
public class SourceLab {
    public static void main(String[] args) throws Exception {
        var client = new KafkaConnectClient(new Configuration(args[0]));
        String name = args[1];
        Map<String, String> config = new HashMap<>();
        for (int i = 2; i < args.length; i++) {
            int at = args[i].indexOf('=');
            config.put(args[i].substring(0, at), args[i].substring(at + 1));
        }
        String type = config.get("connector.class");

        want("version", client.getConnectServerVersion().getVersion().matches("\\d+\\.\\d+\\.\\d+.*"));
        var plugins = client.getConnectorPlugins();
        want("plugins", plugins.stream().anyMatch(p -> p.getClassName().equals(type) && p.getType().equals("source")));
        // AKHQ validates for every plugin, to learn its keys.
        for (var plugin : plugins) {
            var found = client.validateConnectorPluginConfig(ConnectorPluginConfigDefinition.newBuilder()
                .withName(plugin.getClassName())
                .withConfig("connector.class", plugin.getClassName())
                .withConfig("topics", "getPlugins")
                .build());
            want("validate " + plugin.getClassName(), readable(found));
        }
        want("validate", client.validateConnectorPluginConfig(ConnectorPluginConfigDefinition.newBuilder()
            .withName(type).withConfig(config).withConfig("name", name).build()).getErrorCount() == 0);

        var created = again(() -> client.addConnector(
            NewConnectorDefinition.newBuilder().withName(name).withConfig(config).build()));
        want("create", created.getName().equals(name) && created.getType().equals("source"));
        running(client, name);
        want("list", client.getConnectors().contains(name));
        want("list with all", client.getConnectorsWithAllExpandedMetadata().getAllDefinitions().stream()
            .anyMatch(c -> c.getName().equals(name) && c.getConfig().equals(with(config, name))));
        want("list with status", client.getConnectorsWithExpandedStatus().getStatusForConnector(name) != null);
        want("list with info", client.getConnectorsWithExpandedInfo().getDefinitionForConnector(name) != null);
        want("definition", client.getConnector(name).getTasks().size() == 1);
        want("config", client.getConnectorConfig(name).equals(with(config, name)));
        want("tasks", client.getConnectorTasks(name).size() == 1);
        want("task's status", client.getConnectorTaskStatus(name, 0).getState().equals("RUNNING"));
        want("topics", client.getConnectorTopics(name) != null);
        want("change", again(() -> client.updateConnectorConfig(name, with(config, name))).getName().equals(name));
        running(client, name);
        want("pause", again(() -> client.pauseConnector(name)));
        await(client, name, "PAUSED");
        want("resume", again(() -> client.resumeConnector(name)));
        running(client, name);
        want("restart", again(() -> client.restartConnector(name)));
        running(client, name);
        want("restart with tasks", again(() -> client.restartConnector(
            new PostConnectorRestart(name).withIncludeTasks(true).withOnlyFailed(false))));
        running(client, name);
        want("restart of a task", again(() -> client.restartConnectorTask(name, 0)));
        running(client, name);
        want("reset of topics", client.resetConnectorTopics(name));
        want("delete", again(() -> client.deleteConnector(name)));
        want("list without", !client.getConnectors().contains(name));
        try {
            client.getConnector(name);
            want("unknown connector", false);
        } catch (RuntimeException e) {
            want("unknown connector", e.getMessage().contains(name));
        }
    }

    /** What the client leaves null, AKHQ dereferences. */
    static boolean readable(ConnectorPluginConfigValidationResults found) {
        return found.getGroups() != null && !found.getConfigs().isEmpty() && found.getConfigs().stream().allMatch(c ->
            c.getDefinition() != null && c.getDefinition().getName() != null && c.getDefinition().getDependents() != null
                && c.getValue() != null && c.getValue().getErrors() != null && c.getValue().getRecommendedValues() != null);
    }

    static Map<String, String> with(Map<String, String> config, String name) {
        var all = new HashMap<>(config);
        all.put("name", name);
        return all;
    }

    static void running(KafkaConnectClient client, String name) throws Exception {
        await(client, name, "RUNNING");
    }

    static void await(KafkaConnectClient client, String name, String state) throws Exception {
        String last = "";
        for (int i = 0; i < 600; i++) {
            try {
                ConnectorStatus status = client.getConnectorStatus(name);
                Collection<ConnectorStatus.TaskStatus> tasks = status.getTasks();
                last = status.toString();
                if (state.equals(status.getConnector().get("state")) && tasks.size() == 1
                    && tasks.stream().allMatch(t -> state.equals(t.getState()))) {
                    return;
                }
            } catch (RuntimeException e) { // it has no status yet
                last = e.toString();
            }
            Thread.sleep(50);
        }
        throw new IllegalStateException("not " + state + ": " + last);
    }

    /** Repeats what a rebalance refuses, as AKHQ does. */
    static <T> T again(Supplier<T> call) throws Exception {
        for (int i = 0; ; i++) {
            try {
                return call.get();
            } catch (RuntimeException e) {
                if (i == 100 || !String.valueOf(e.getMessage()).contains("Cannot complete request")) {
                    throw e;
                }
                Thread.sleep(50);
            }
        }
    }

    static void want(String call, boolean as) {
        if (!as) {
            throw new IllegalStateException(call + ": not as expected");
        }
        System.out.println("ok " + call);
    }
}
