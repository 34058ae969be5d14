#!/bin/bash
# From a Keras model to a Spring Boot service in one jar: train, export, hand over, test, package, serve, and compare one answer.
set -euo pipefail
export TF_CPP_MIN_LOG_LEVEL=2 # TensorFlow: errors and warnings only

crossload export model.py:model -o spam --formats saved_model --overwrite
crossload handoff spam --to java -o spam-java --overwrite

# The handoff's own tests answer every recorded request again; then the service is built, with the model in the client's jar.
mvn -B -ntp -q -Pmodel-in-jar package
grep -h '^Tests run' spam-java/client/target/surefire-reports/*.txt

# One message, asked with crossload in the same runtime.
crossload run spam --runtime tensorflow-java --input 'words=[[11, 3, 5, 30]]' --output-file answer.npz --overwrite

# The same message, asked over HTTP. The jar lies in a folder of its own: nothing else is needed. The service takes a free port and prints it.
mkdir -p deployed && cp service/target/spam-service.jar deployed
(cd deployed && exec java --enable-native-access=ALL-UNNAMED -jar spam-service.jar --server.port=0) >service.log 2>service.err &
service=$!
trap 'kill "$service"' EXIT
until port=$(grep -oP 'Tomcat started on port \K\d+' service.log); do
  kill -0 "$service" || { cat service.log service.err; exit 1; }
  sleep 0.2
done
python3 ask.py "$port"
