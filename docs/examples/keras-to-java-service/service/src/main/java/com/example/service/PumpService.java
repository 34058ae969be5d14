package com.example.service;

import com.example.pump.PumpClient;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Answers POST /worn: the body is "vibration x,vibration y,vibration z,temperature", the answer a probability. */
public final class PumpService {
    private final PumpClient pump;

    private PumpService(PumpClient pump) {
        this.pump = pump;
    }

    /**
     * Serves on a free port of this machine and prints it.
     *
     * @param args the folder {@code model} of the handed-over project
     */
    public static void main(String[] args) throws IOException {
        PumpService service = new PumpService(PumpClient.open(Path.of(args[0])));
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/worn", service::answer);
        server.start();
        System.out.println("listening on port " + server.getAddress().getPort());
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            try {
                reply(exchange, 200, Float.toString(worn(exchange)));
            } catch (IllegalArgumentException error) {
                reply(exchange, 400, error.getMessage());
            }
        }
    }

    private float worn(HttpExchange exchange) throws IOException {
        String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
        double[] numbers = Stream.of(body.split(",")).mapToDouble(Double::parseDouble).toArray();
        if (numbers.length != 4) {
            throw new IllegalArgumentException("four numbers are needed, and there are " + numbers.length);
        }
        float[] vibration = {(float) numbers[0], (float) numbers[1], (float) numbers[2]};
        float[] temperature = {(float) numbers[3]};
        return pump.servingDefault(new PumpClient.ServingDefaultInputs(temperature, vibration)).worn()[0];
    }

    private static void reply(HttpExchange exchange, int status, String text) throws IOException {
        byte[] bytes = (text + "\n").getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
    }
}
